resource "azurerm_monitor_action_group" "operators" {
  name                = "${local.prefix}-secrets"
  resource_group_name = azurerm_resource_group.main.name
  short_name          = "secrets"
  tags                = local.tags

  email_receiver {
    name                    = "operators"
    email_address           = var.alert_email
    use_common_alert_schema = true
  }
}

# 403 alone: every client begins with a request that gets 401, which tells it where to sign in.
resource "azurerm_monitor_metric_alert" "denied" {
  name                = "${local.prefix}-vault-denied"
  description         = "Key Vault refused requests: a role assignment or a network rule is missing, or a secret is disabled."
  resource_group_name = azurerm_resource_group.main.name
  scopes              = [azurerm_key_vault.main.id]
  severity            = 2
  frequency           = "PT5M"
  window_size         = "PT15M"
  tags                = local.tags

  criteria {
    metric_namespace = "Microsoft.KeyVault/vaults"
    metric_name      = "ServiceApiResult"
    aggregation      = "Count"
    operator         = "GreaterThan"
    threshold        = 0
    dimension {
      name     = "StatusCode"
      operator = "Include"
      values   = ["403"]
    }
  }
  action {
    action_group_id = azurerm_monitor_action_group.operators.id
  }
}

locals {
  log_alerts = {
    # Key Vault writes these 30 days before a secret expires. A secret without an expiry date has none.
    near-expiry = {
      description = "A secret or certificate of the vault expires within 30 days, or has expired."
      severity    = 2
      query       = <<-KQL
        AZKVAuditLogs
        | where _ResourceId =~ "${azurerm_key_vault.main.id}"
        | where OperationName in (
            "SecretNearExpiryEventGridNotification", "SecretExpiredEventGridNotification",
            "CertificateNearExpiryEventGridNotification", "CertificateExpiredEventGridNotification")
      KQL
    }
    # The service keeps its last good values and stays ready, so that only this alert says that a rotation fails.
    service-degraded = {
      description = "The service cannot use a new secret or certificate, or cannot read one."
      severity    = 2
      query       = <<-KQL
        ContainerLogV2
        | where PodNamespace == "${var.namespace}" and ContainerName == "${var.name}"
        | where tostring(LogMessage) has "\"event\":\"error\"" or tostring(LogMessage.event) == "error"
      KQL
    }
    # The mount itself does not show that the driver fails to rotate it.
    mount-failed = {
      description = "The Secrets Store CSI driver failed to mount or to rotate the secrets of a pod."
      severity    = 2
      query       = <<-KQL
        KubeEvents
        | where Namespace == "${var.namespace}"
        | where Reason in ("FailedMount", "MountRotationFailed", "SecretRotationFailed")
      KQL
    }
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "logs" {
  for_each             = local.log_alerts
  name                 = "${local.prefix}-${each.key}"
  description          = each.value.description
  resource_group_name  = azurerm_resource_group.main.name
  location             = azurerm_resource_group.main.location
  scopes               = [azurerm_log_analytics_workspace.main.id]
  severity             = each.value.severity
  evaluation_frequency = "PT15M"
  window_duration      = "PT15M"
  # The tables exist once the first entry has arrived.
  skip_query_validation = true
  tags                  = local.tags

  criteria {
    query                   = each.value.query
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0
  }
  action {
    action_groups = [azurerm_monitor_action_group.operators.id]
  }
}
