export { type AttachedContext, type AttachOptions, attachSecureContext } from './attach';
export type { ContextRecipe } from './context-slot';
export { createServerNames, type ServerNames, type ServerNamesOptions } from './server-names';
