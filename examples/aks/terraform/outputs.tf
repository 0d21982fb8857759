output "settings" {
  description = "The content of manifests/overlays/ENVIRONMENT/settings.env."
  value       = <<-ENV
    # Written by "terraform output -raw settings", or by provision.sh. No secret belongs here.
    ENVIRONMENT=${var.environment}
    KEY_VAULT_NAME=${azurerm_key_vault.main.name}
    KEY_VAULT_URL=${trimsuffix(azurerm_key_vault.main.vault_uri, "/")}
    CLIENT_ID=${azurerm_user_assigned_identity.service.client_id}
    TENANT_ID=${data.azurerm_client_config.current.tenant_id}
    DATABASE_HOST=${var.database_host}
  ENV
}

output "cluster" {
  description = "az aks get-credentials --resource-group NAME --name NAME"
  value       = azurerm_kubernetes_cluster.main.name
}
