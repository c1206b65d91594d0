//! Changes of the templates that each break a rule.

/// A rule, a text in one of the templates, and its replacement, which breaks the rule.
pub(super) type Removal = (&'static str, &'static str, &'static str);

pub(super) const REMOVALS: [Removal; 48] = [
    ("role_names_its_actions", "- dynamodb:GetItem", "- dynamodb:*"),
    ("role_names_its_actions", "- sqs:SendMessage", "- \"*\""),
    (
        "role_names_its_actions",
        "      Policies:",
        "      ManagedPolicyArns: [\"arn:aws:iam::aws:policy/AdministratorAccess\"]\n      Policies:",
    ),
    ("role_names_its_resources", "Resource: !GetAtt AddMemberLog.Arn", "Resource: \"*\""),
    ("role_names_its_resources", "event-bus/${EventBusName}", "event-bus/*"),
    ("role_names_its_resources", "Resource: !GetAtt GetGroupLog.Arn", "NotResource: !GetAtt Table.Arn"),
    ("only_lambda_and_own_schedules_assume_roles", "Service: lambda.amazonaws.com", "AWS: \"*\""),
    (
        "only_lambda_and_own_schedules_assume_roles",
        "\"aws:SourceAccount\": !Ref AWS::AccountId",
        "\"aws:SourceAccount\": \"*\"",
    ),
    (
        "table_can_be_restored",
        "PointInTimeRecoveryEnabled: !Ref PointInTimeRecovery",
        "PointInTimeRecoveryEnabled: false",
    ),
    (
        "table_can_be_restored",
        "PointInTimeRecovery:\n    Type: String\n    Default: \"true\"",
        "PointInTimeRecovery:\n    Type: String\n    Default: \"false\"",
    ),
    ("table_refuses_to_be_deleted", "      DeletionProtectionEnabled: !Ref DeletionProtection\n", ""),
    (
        "table_refuses_to_be_deleted",
        "DeletionProtection:\n    Type: String\n    Default: \"true\"",
        "DeletionProtection:\n    Type: String\n    Default: \"false\"",
    ),
    ("table_outlives_the_stack", "DeletionPolicy: Retain\n", "DeletionPolicy: Delete\n"),
    ("table_outlives_the_stack", "    UpdateReplacePolicy: Retain\n", ""),
    ("table_is_encrypted", "SSEEnabled: true", "SSEEnabled: false"),
    ("table_is_encrypted", "        SSEType: KMS\n", ""),
    (
        "log_has_a_retention",
        "      RetentionInDays: !Ref LogRetentionDays\n\n  GetGroupFunction",
        "      LogGroupClass: STANDARD\n\n  GetGroupFunction",
    ),
    ("log_has_a_retention", "      RetentionInDays: !Ref AuditRetentionDays\n", ""),
    (
        "audit_outlives_the_stack",
        "AWS::Events::Archive\n    DeletionPolicy: RetainExceptOnCreate",
        "AWS::Events::Archive\n    DeletionPolicy: Delete",
    ),
    ("queue_is_encrypted", "      SqsManagedSseEnabled: true", "      SqsManagedSseEnabled: false"),
    ("queue_keeps_fourteen_days", "      MessageRetentionPeriod: 1209600\n", ""),
    (
        "queue_policy_names_its_sender",
        "              ArnEquals:\n                aws:SourceArn: !GetAtt AuditRule.Arn",
        "              Bool:\n                aws:SecureTransport: true",
    ),
    ("queue_policy_names_its_sender", "Service: events.amazonaws.com", "AWS: \"*\""),
    ("function_has_its_role", "      Role: !GetAtt GetGroupRole.Arn\n", ""),
    (
        "function_has_its_role",
        "      Role: !GetAtt GetGroupRole.Arn\n",
        "      Role: !GetAtt GetGroupRole.Arn\n      Policies: [AmazonDynamoDBFullAccess]\n",
    ),
    ("function_has_its_log", "      LoggingConfig:\n        LogGroup: !Ref GetGroupLog\n", ""),
    ("function_has_a_timeout", "    Timeout: 10\n", ""),
    (
        "route_requires_a_token",
        "            Method: GET\n",
        "            Method: GET\n            Auth: { Authorizer: NONE }\n",
    ),
    (
        "long_lived_token_is_for_its_own_routes",
        "            Path: /scim/v2/{proxy+}\n",
        "            Path: /api/v1/{proxy+}\n",
    ),
    ("stream_source_bisects", "            BisectBatchOnFunctionError: true\n", ""),
    (
        "stream_source_reports_item_failures",
        "            BisectBatchOnFunctionError: true\n            FunctionResponseTypes:\n              - ReportBatchItemFailures\n",
        "            BisectBatchOnFunctionError: true\n",
    ),
    ("stream_source_drops_records_within_a_day", "            MaximumRecordAgeInSeconds: 82800\n", ""),
    ("stream_source_keeps_failed_records", "                Destination: !GetAtt FailedRecords.Arn\n", ""),
    ("stream_source_keeps_failed_records", "                Type: S3\n", "                Type: SQS\n"),
    (
        "stream_source_counts_its_events",
        "              Metrics:\n                - EventCount\n",
        "              Metrics: []\n",
    ),
    ("failed_records_are_private", "        RestrictPublicBuckets: true\n", ""),
    ("failed_records_are_private", "aws:SecureTransport: false", "aws:SecureTransport: true"),
    (
        "queue_policy_is_for_one_queue",
        "        - !Ref DeadLetters\n",
        "        - !Ref DeadLetters\n        - !Ref Incoming\n",
    ),
    (
        "queue_policy_is_for_one_queue",
        "            Resource: !GetAtt DeadLetters.Arn\n            Condition",
        "            Resource: [!GetAtt DeadLetters.Arn, !GetAtt Incoming.Arn]\n            Condition",
    ),
    ("audit_log_policy_names_its_rule", "\"aws:SourceArn\"", "\"aws:SourceAccount\""),
    ("api_fails_on_warnings", "      FailOnWarnings: true\n", ""),
    (
        "queue_source_reports_item_failures",
        "            BatchSize: 10\n            FunctionResponseTypes:\n              - ReportBatchItemFailures\n",
        "            BatchSize: 10\n",
    ),
    ("queue_source_has_a_dead_letter_queue", "        deadLetterTargetArn: !GetAtt DeadLetters.Arn\n", ""),
    ("api_requires_tokens", "        DefaultAuthorizer: Jwt\n", ""),
    ("api_is_throttled", "        ThrottlingBurstLimit: !Ref BurstRequests\n", ""),
    ("api_has_an_access_log", "        DestinationArn: !GetAtt AccessLog.Arn\n", ""),
    ("alarm_handles_missing_data", "      TreatMissingData: notBreaching\n", ""),
    ("alarm_notifies_the_topic", "      OKActions: !If [HasTopic, [!Ref AlarmTopicArn], !Ref \"AWS::NoValue\"]\n", ""),
];
