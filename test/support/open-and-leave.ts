import { mountedFiles, SecretStore } from '../../src/index';

/** Opens the mount of the first argument and leaves it open. */
const [path = ''] = process.argv.slice(2);
SecretStore.open({ sources: [mountedFiles(path)] }).then(() => console.log('opened'));
