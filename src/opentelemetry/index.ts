export { type InstrumentedStore, type InstrumentOptions, instrumentSecrets } from './instrument-secrets';
