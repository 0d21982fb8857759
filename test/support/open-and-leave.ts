import { mountedFiles, SecretStore } from '../../src/index';

// Opens a store on the mount of the first argument, and never closes it.
const [path = ''] = process.argv.slice(2);
SecretStore.open({ sources: [mountedFiles(path)] }).then(() => console.log('opened'));
