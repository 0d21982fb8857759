import { WorkloadIdentityCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';

// Like a service in a pod: takes all settings from the environment.
const client = new SecretClient(process.env.AZURE_KEY_VAULT_ENDPOINT ?? '', new WorkloadIdentityCredential());
const { value } = await client.getSecret('api-key');
console.log(value === 'first' ? 'read' : 'read something else');
