resource "azurerm_eventgrid_system_topic" "vault" {
  name                = "${local.prefix}-kv"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  source_resource_id  = azurerm_key_vault.main.id
  topic_type          = "Microsoft.KeyVault.vaults"
  tags                = local.tags
}

resource "azurerm_eventgrid_system_topic_event_subscription" "service" {
  count                 = var.event_grid_endpoint == null ? 0 : 1
  name                  = var.name
  resource_group_name   = azurerm_resource_group.main.name
  system_topic          = azurerm_eventgrid_system_topic.vault.name
  event_delivery_schema = "CloudEventSchemaV1_0"
  included_event_types = [
    "Microsoft.KeyVault.SecretNewVersionCreated",
    "Microsoft.KeyVault.SecretNearExpiry",
    "Microsoft.KeyVault.SecretExpired",
    "Microsoft.KeyVault.CertificateNewVersionCreated",
    "Microsoft.KeyVault.CertificateNearExpiry",
    "Microsoft.KeyVault.CertificateExpired",
  ]

  webhook_endpoint {
    url = var.event_grid_endpoint
  }
  # querySecret of the service compares it with the secret webhook-code.
  delivery_property {
    header_name = "authorization"
    type        = "Static"
    value       = "Bearer ${var.webhook_code}"
    secret      = true
  }
  retry_policy {
    event_time_to_live    = 1440
    max_delivery_attempts = 30
  }

  lifecycle {
    precondition {
      condition     = var.webhook_code != null
      error_message = "Set TF_VAR_webhook_code to the value of the secret webhook-code."
    }
  }
}
