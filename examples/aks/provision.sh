#!/usr/bin/env bash
# The same as terraform/, with the Azure CLI: ./provision.sh dev
# It may be run again: existing resources keep their names, and every command creates or updates.
set -euo pipefail

environment="${1:-}"
case "$environment" in
  dev | prod) ;;
  *)
    echo "usage: DATABASE_HOST=… OPERATORS=… ALERT_EMAIL=… [OPERATOR_IP=…] [EVENT_GRID_ENDPOINT=… WEBHOOK_CODE=…] $0 dev|prod" >&2
    exit 64
    ;;
esac
: "${DATABASE_HOST:?the host name of PostgreSQL}"
: "${OPERATORS:?the object id of the Entra group that writes secrets}"
: "${ALERT_EMAIL:?the address that alerts go to}"

name="${NAME:-shop}"
namespace="shop"
service_account="shop"
location="${LOCATION:-westeurope}"
kubernetes_version="${KUBERNETES_VERSION:-1.36}"
rotation_interval="2m"
prefix="$name-$environment"
vault="$prefix-kv"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

export AZURE_CORE_OUTPUT=none
query() { az "$@" --output tsv; }

az extension add --name scheduled-query --upgrade # for the alerts on logs
az group create --name "$prefix" --location "$location"
az monitor log-analytics workspace create --resource-group "$prefix" --workspace-name "$prefix" --retention-time 90
workspace="$(query monitor log-analytics workspace show --resource-group "$prefix" --workspace-name "$prefix" --query id)"

# The range in which manifests/base/network.yaml allows PostgreSQL.
az network vnet create --resource-group "$prefix" --name "$prefix" --address-prefixes 10.20.0.0/16
az network vnet subnet create --resource-group "$prefix" --vnet-name "$prefix" --name nodes \
  --address-prefixes 10.20.0.0/20 --service-endpoints Microsoft.KeyVault
subnet="$(query network vnet subnet show --resource-group "$prefix" --vnet-name "$prefix" --name nodes --query id)"

# Rotation is off by default, and then a mount keeps the values of the start of the pod forever.
if [[ -z "$(query aks list --resource-group "$prefix" --query "[?name=='$prefix'].id")" ]]; then
  az aks create --resource-group "$prefix" --name "$prefix" --kubernetes-version "$kubernetes_version" \
    --enable-oidc-issuer --enable-workload-identity \
    --enable-addons azure-keyvault-secrets-provider,monitoring \
    --enable-secret-rotation --rotation-poll-interval "$rotation_interval" \
    --workspace-resource-id "$workspace" --vnet-subnet-id "$subnet" \
    --network-plugin azure --network-plugin-mode overlay --network-dataplane cilium \
    --pod-cidr 10.244.0.0/16 --service-cidr 10.0.0.0/16 --dns-service-ip 10.0.0.10 \
    --enable-aad --enable-azure-rbac --aad-admin-group-object-ids "$OPERATORS" --disable-local-accounts \
    --enable-cluster-autoscaler --node-count 2 --min-count 2 --max-count 4 --node-vm-size Standard_D2s_v5 \
    --auto-upgrade-channel patch --no-ssh-key
else
  az aks update --resource-group "$prefix" --name "$prefix" \
    --enable-secret-rotation --rotation-poll-interval "$rotation_interval"
fi
issuer="$(query aks show --resource-group "$prefix" --name "$prefix" --query oidcIssuerProfile.issuerUrl)"

if [[ -z "$(query keyvault list --resource-group "$prefix" --query "[?name=='$vault'].id")" ]]; then
  az keyvault create --resource-group "$prefix" --name "$vault" --location "$location" \
    --enable-rbac-authorization true --enable-purge-protection true --retention-days 90 \
    --default-action Deny --bypass AzureServices
fi
az keyvault network-rule add --resource-group "$prefix" --name "$vault" --subnet "$subnet"
if [[ -n "${OPERATOR_IP:-}" ]]; then
  az keyvault network-rule add --resource-group "$prefix" --name "$vault" --ip-address "$OPERATOR_IP"
fi
vault_id="$(query keyvault show --resource-group "$prefix" --name "$vault" --query id)"
az monitor diagnostic-settings create --name audit --resource "$vault_id" --workspace "$workspace" \
  --export-to-resource-specific true \
  --logs '[{"category":"AuditEvent","enabled":true}]' --metrics '[{"category":"AllMetrics","enabled":true}]'

az identity create --resource-group "$prefix" --name "$prefix" --location "$location"
client_id="$(query identity show --resource-group "$prefix" --name "$prefix" --query clientId)"
principal_id="$(query identity show --resource-group "$prefix" --name "$prefix" --query principalId)"
# Entra ID compares the subject character by character, including its case.
az identity federated-credential create --resource-group "$prefix" --identity-name "$prefix" --name "$prefix-aks" \
  --issuer "$issuer" --subject "system:serviceaccount:$namespace:$service_account" \
  --audiences api://AzureADTokenExchange
az role assignment create --role "Key Vault Secrets User" --scope "$vault_id" \
  --assignee-object-id "$principal_id" --assignee-principal-type ServicePrincipal
for role in "Key Vault Secrets Officer" "Key Vault Certificates Officer"; do
  az role assignment create --role "$role" --scope "$vault_id" \
    --assignee-object-id "$OPERATORS" --assignee-principal-type Group
done

az eventgrid system-topic create --resource-group "$prefix" --name "$vault" --location "$location" \
  --topic-type Microsoft.KeyVault.vaults --source "$vault_id"
if [[ -n "${EVENT_GRID_ENDPOINT:-}" ]]; then
  # querySecret of the service compares the header with the secret webhook-code.
  az eventgrid system-topic event-subscription create --resource-group "$prefix" --system-topic-name "$vault" \
    --name "$name" --endpoint "$EVENT_GRID_ENDPOINT" --event-delivery-schema cloudeventschemav1_0 \
    --included-event-types Microsoft.KeyVault.SecretNewVersionCreated \
    Microsoft.KeyVault.SecretNearExpiry Microsoft.KeyVault.SecretExpired \
    Microsoft.KeyVault.CertificateNewVersionCreated \
    Microsoft.KeyVault.CertificateNearExpiry Microsoft.KeyVault.CertificateExpired \
    --delivery-attribute-mapping authorization static "Bearer ${WEBHOOK_CODE:?the value of the secret webhook-code}" true
fi

az monitor action-group create --resource-group "$prefix" --name "$prefix-secrets" --short-name secrets \
  --action email operators "$ALERT_EMAIL" usecommonalertschema
actions="$(query monitor action-group show --resource-group "$prefix" --name "$prefix-secrets" --query id)"
# 403 alone: every client begins with a request that gets 401, which tells it where to sign in.
az monitor metrics alert create --resource-group "$prefix" --name "$prefix-vault-denied" --scopes "$vault_id" \
  --condition "count ServiceApiResult > 0 where StatusCode includes 403" \
  --window-size 15m --evaluation-frequency 5m --severity 2 --action "$actions" \
  --description "Key Vault refused requests: a role assignment or a network rule is missing, or a secret is disabled."

log_alert() { # name, description, query
  az monitor scheduled-query create --resource-group "$prefix" --name "$prefix-$1" --scopes "$workspace" \
    --description "$2" --condition "count 'entries' > 0" --condition-query entries="$3" \
    --window-size 15m --evaluation-frequency 15m --severity 2 --action-groups "$actions" --skip-query-validation true
}
log_alert near-expiry "A secret or certificate of the vault expires within 30 days, or has expired." \
  "AZKVAuditLogs | where OperationName in ('SecretNearExpiryEventGridNotification',
   'SecretExpiredEventGridNotification', 'CertificateNearExpiryEventGridNotification',
   'CertificateExpiredEventGridNotification')"
log_alert service-degraded "The service cannot use a new secret or certificate, or cannot read one." \
  "ContainerLogV2 | where PodNamespace == '$namespace' and ContainerName == 'shop'
   | where tostring(LogMessage) has '\"event\":\"error\"' or tostring(LogMessage.event) == 'error'"
log_alert mount-failed "The Secrets Store CSI driver failed to mount or to rotate the secrets of a pod." \
  "KubeEvents | where Namespace == '$namespace'
   | where Reason in ('FailedMount', 'MountRotationFailed', 'SecretRotationFailed')"

cat >"$here/manifests/overlays/$environment/settings.env" <<ENV
# Written by "terraform output -raw settings", or by provision.sh. No secret belongs here.
ENVIRONMENT=$environment
KEY_VAULT_NAME=$vault
KEY_VAULT_URL=https://$vault.vault.azure.net
CLIENT_ID=$client_id
TENANT_ID=$(query account show --query tenantId)
DATABASE_HOST=$DATABASE_HOST
ENV
echo "Wrote manifests/overlays/$environment/settings.env. Next: kubectl apply -k manifests/overlays/$environment"
