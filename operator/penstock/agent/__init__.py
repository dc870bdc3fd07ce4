"""The program inside every action's pod."""
