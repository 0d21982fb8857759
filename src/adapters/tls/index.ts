export { type AttachedContext, type AttachOptions, attachSecureContext } from './attach';
export type { ContextRecipe } from './served-context';
export { createServerNames, type ServerNames, type ServerNamesOptions } from './server-names';
