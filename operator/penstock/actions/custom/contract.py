"""The files that a custom action leaves below ``$PENSTOCK_RESULT_DIR``:
CodePipeline's words (P-83, P-84).
"""

SUMMARY = "summary"
EXTERNAL_ID = "externalExecutionId"
EXTERNAL_URL = "externalExecutionUrl"
PERCENT = "percentComplete"
FAILURE_TYPE = "failureType"
FAILURE_MESSAGE = "failureMessage"
REVISION = "revision"
REVISION_SUMMARY = "revisionSummary"
