variable "subscription_id" {
  description = "The Azure subscription."
  type        = string
}

variable "environment" {
  description = "One vault, one identity and one cluster for each environment. Give each its own state."
  type        = string
  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "Use dev or prod, as in manifests/overlays."
  }
}

variable "location" {
  type    = string
  default = "westeurope"
}

variable "name" {
  description = "The name of the service, and the beginning of every resource name. Names of vaults are global: choose your own."
  type        = string
  default     = "shop"
}

variable "namespace" {
  description = "The namespace of the pods, as in manifests/base."
  type        = string
  default     = "shop"
}

variable "service_account" {
  description = "The service account of the pods, as in manifests/base."
  type        = string
  default     = "shop"
}

variable "kubernetes_version" {
  description = "1.37 or newer for pod certificates."
  type        = string
  default     = "1.36"
}

variable "secret_rotation_interval" {
  description = "How often the driver reads the vault. Each poll reads every object of each pod, and a vault allows 4,000 reads in 10 seconds."
  type        = string
  default     = "2m"
}

variable "database_host" {
  description = "The host name of PostgreSQL, inside the virtual network."
  type        = string
}

variable "operators" {
  description = "The object id of the Entra group that writes secrets and certificates."
  type        = string
}

variable "operator_ip_ranges" {
  description = "Public addresses from which operators and this configuration reach the vault. Everything else is denied."
  type        = list(string)
  default     = []
}

variable "alert_email" {
  type = string
}

variable "event_grid_endpoint" {
  description = "The public https address of /hooks/event-grid. Set it once the service runs: Event Grid checks the address when the subscription is created."
  type        = string
  default     = null
}

variable "webhook_code" {
  description = "The value of the secret webhook-code. Pass it as TF_VAR_webhook_code. It ends up in the state, so protect the state."
  type        = string
  sensitive   = true
  default     = null
}
