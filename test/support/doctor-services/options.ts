import { environment, mountedFiles, secret } from 'hot-secrets';

/** What a service passes to `SecretStore.open`. */
export const options = {
  secrets: {
    dbPassword: 'db-password',
    apiKey: secret.text('api-key', { env: ['API_KEY_KV', 'API_KEY'] }),
    beta: secret.text('beta').optional(),
  },
  sources: [mountedFiles(process.env.SERVICE_MOUNT ?? '/no/such/mount'), environment()],
};
