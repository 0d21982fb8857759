resource "azurerm_key_vault" "main" {
  name                       = "${local.prefix}-kv"
  resource_group_name        = azurerm_resource_group.main.name
  location                   = azurerm_resource_group.main.location
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = true
  purge_protection_enabled   = true
  soft_delete_retention_days = 90
  tags                       = local.tags

  network_acls {
    default_action             = "Deny"
    bypass                     = "AzureServices"
    ip_rules                   = var.operator_ip_ranges
    virtual_network_subnet_ids = [azurerm_subnet.nodes.id] # the driver reads from the nodes, the service from its pods
  }
}

resource "azurerm_monitor_diagnostic_setting" "vault" {
  name                           = "audit"
  target_resource_id             = azurerm_key_vault.main.id
  log_analytics_workspace_id     = azurerm_log_analytics_workspace.main.id
  log_analytics_destination_type = "Dedicated" # the table AZKVAuditLogs

  enabled_log {
    category = "AuditEvent"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}

resource "azurerm_user_assigned_identity" "service" {
  name                = local.prefix
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  tags                = local.tags
}

# Entra ID compares the subject character by character, including its case.
resource "azurerm_federated_identity_credential" "service" {
  name                      = "${local.prefix}-aks"
  user_assigned_identity_id = azurerm_user_assigned_identity.service.id
  issuer                    = azurerm_kubernetes_cluster.main.oidc_issuer_url
  subject                   = "system:serviceaccount:${var.namespace}:${var.service_account}"
  audience                  = ["api://AzureADTokenExchange"]
}

# Also for a certificate that is read as a secret. It takes a few minutes until a new assignment works everywhere.
resource "azurerm_role_assignment" "service" {
  scope                = azurerm_key_vault.main.id
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.service.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "operators" {
  for_each             = toset(["Key Vault Secrets Officer", "Key Vault Certificates Officer"])
  scope                = azurerm_key_vault.main.id
  role_definition_name = each.value
  principal_id         = var.operators
  principal_type       = "Group"
}
