import { mountedFiles, SecretStore, secret } from 'hot-secrets';
import { attachSecureContext } from 'hot-secrets/tls';
import type { ServeCertificate } from './service';

/** The service with hot-secrets: a store, and a server that follows it. */
export const serveWithHotSecrets: ServeCertificate = async (server, mountPath, log) => {
  const secrets = await SecretStore.open({
    secrets: { web: secret.tls({ cert: 'tls.crt', key: 'tls.key' }) },
    sources: [mountedFiles(mountPath)],
    // The certificates of this demo are valid for seconds only.
    expiryThresholdsDays: [],
  });
  secrets.on('error', ({ code }) => log.refused(code));
  const rotation = attachSecureContext(server, secrets, (s) => s.reveal('web'));
  return {
    async close() {
      await rotation.close();
      await secrets.close();
    },
  };
};
