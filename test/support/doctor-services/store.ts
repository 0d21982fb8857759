import { SecretStore } from 'hot-secrets';
import { options } from './options';

/** As a service that opens its store when it is asked. */
export const store = () => SecretStore.open(options);
