import { SecretStore } from 'hot-secrets';

// As a service in a pod: everything comes from the environment, and the store is never closed.
const secrets = await SecretStore.open();
const served = secrets.report().secrets.map(({ name, source }) => [name, source]);
console.log(JSON.stringify(Object.fromEntries(served.sort())));
