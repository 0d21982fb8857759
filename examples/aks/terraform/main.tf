terraform {
  required_version = ">= 1.9"
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.73"
    }
  }
}

provider "azurerm" {
  subscription_id = var.subscription_id
  features {}
}

data "azurerm_client_config" "current" {}

locals {
  prefix = "${var.name}-${var.environment}"
  tags = {
    service     = var.name
    environment = var.environment
  }
}

resource "azurerm_resource_group" "main" {
  name     = local.prefix
  location = var.location
  tags     = local.tags
}

resource "azurerm_log_analytics_workspace" "main" {
  name                = local.prefix
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  sku                 = "PerGB2018"
  retention_in_days   = 90
  tags                = local.tags
}

resource "azurerm_virtual_network" "main" {
  name                = local.prefix
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  address_space       = ["10.20.0.0/16"] # manifests/base/network.yaml allows PostgreSQL in this range
  tags                = local.tags
}

resource "azurerm_subnet" "nodes" {
  name                 = "nodes"
  resource_group_name  = azurerm_resource_group.main.name
  virtual_network_name = azurerm_virtual_network.main.name
  address_prefixes     = ["10.20.0.0/20"]
  service_endpoints    = ["Microsoft.KeyVault"] # the vault allows this subnet
}

resource "azurerm_kubernetes_cluster" "main" {
  name                      = local.prefix
  resource_group_name       = azurerm_resource_group.main.name
  location                  = azurerm_resource_group.main.location
  dns_prefix                = local.prefix
  kubernetes_version        = var.kubernetes_version
  automatic_upgrade_channel = "patch"
  local_account_disabled    = true

  # Both together: pods exchange tokens of this issuer for tokens of the managed identity.
  oidc_issuer_enabled       = true
  workload_identity_enabled = true

  # Rotation is off by default, and then a mount keeps the values of the start of the pod forever.
  key_vault_secrets_provider {
    secret_rotation_enabled  = true
    secret_rotation_interval = var.secret_rotation_interval
  }

  azure_active_directory_role_based_access_control {
    azure_rbac_enabled     = true
    admin_group_object_ids = [var.operators]
  }

  default_node_pool {
    name                 = "system"
    vm_size              = "Standard_D2s_v5"
    vnet_subnet_id       = azurerm_subnet.nodes.id
    auto_scaling_enabled = true
    min_count            = 2
    max_count            = 4
    upgrade_settings {
      max_surge = "33%"
    }
  }

  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_data_plane  = "cilium"
    network_policy      = "cilium" # enforces manifests/base/network.yaml
    pod_cidr            = "10.244.0.0/16"
    service_cidr        = "10.0.0.0/16"
    dns_service_ip      = "10.0.0.10"
  }

  oms_agent {
    log_analytics_workspace_id      = azurerm_log_analytics_workspace.main.id
    msi_auth_for_monitoring_enabled = true
  }

  identity {
    type = "SystemAssigned"
  }

  tags = local.tags
}
