import { memory, SecretStore } from 'hot-secrets';
import { rotating } from '../../../src/rotation/rotating';

// The pause before the second attempt is all that is left in this process.
const secrets = await SecretStore.open({ secrets: {}, sources: [memory()] });
let attempts = 0;
const resource = rotating(
  secrets,
  {
    build: () => {
      attempts += 1;
      if (attempts < 3) throw new Error('not yet');
      return 'ready';
    },
  },
  { retryBaseMs: 100 },
);
resource.on('rejected', () => {});
if (process.argv[2] === 'wait') console.log(await resource.ready);
