import { SecretStore } from 'hot-secrets';

// Like a service in a pod: takes all settings from the environment, and never closes the store.
const secrets = await SecretStore.open();
const served = secrets.report().secrets.map(({ name, source }) => [name, source]);
console.log(JSON.stringify(Object.fromEntries(served.sort())));
