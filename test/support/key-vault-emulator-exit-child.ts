import { get } from 'node:https';
import { createKeyVaultEmulator } from '../../src/testing/index';

// Uses an emulator, and never closes it or the connection to it.
createKeyVaultEmulator({ secrets: { 'api-key': 'first' } }).then(({ agent, vaultUrl }) => {
  get(`${vaultUrl}/secrets/api-key?api-version=2025-07-01`, { agent }, (response) => {
    response.resume().on('end', () => console.log('asked'));
  });
});
