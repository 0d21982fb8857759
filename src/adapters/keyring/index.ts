export {
  forFastifyCookie,
  forIronSession,
  forWebhooks,
  keyList,
  type ListedKey,
  revealKeyList,
  type UnsignedCookie,
  type WebhookOptions,
  withAnyKey,
} from './cookies';
export { type KeyReport, type Keyring, type KeyringOptions, keyring } from './keyring';
export type { KeyPlace } from './roles';
export type { KeyAlgorithm, SigningKey } from './signing-key';
export {
  type FastifyJwtKeys,
  type FastJwtModule,
  forFastifyJwt,
  forFastJwt,
  forJose,
  forJsonwebtoken,
  type JoseToken,
  type JsonwebtokenModule,
} from './tokens';
