import { memory, SecretStore } from 'hot-secrets';
import { rotating } from '../../../src/rotation/rotating';

// Only the pause before the next attempt could keep this process alive.
const secrets = await SecretStore.open({ secrets: { word: 'word' }, sources: [memory({ word: 'ready' })] });
let attempts = 0;
const resource = rotating(
  secrets,
  {
    build: (s) => {
      attempts += 1;
      if (attempts < 3) throw new Error('not yet');
      return s.reveal('word');
    },
  },
  { retryBaseMs: 100 },
);
resource.on('rejected', () => {});
if (process.argv[2] === 'wait') console.log(await resource.ready);
