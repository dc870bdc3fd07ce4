"""The rule CloudWatchAlarm."""
