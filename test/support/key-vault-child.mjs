import { WorkloadIdentityCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';

// As a service in a pod: everything comes from the environment.
const client = new SecretClient(process.env.AZURE_KEY_VAULT_ENDPOINT ?? '', new WorkloadIdentityCredential());
const { value } = await client.getSecret('api-key');
console.log(value === 'first' ? 'read' : 'read something else');
