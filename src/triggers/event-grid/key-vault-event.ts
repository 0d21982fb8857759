import type { GridEvent } from './grid-event';

/** The types of events that make a store look. */
export type KeyVaultEventType =
  `Microsoft.KeyVault.${'Secret' | 'Key' | 'Certificate'}${'NewVersionCreated' | 'NearExpiry' | 'Expired'}`;

/** An event of a vault. It names things and holds no value. What the event did not say is `undefined`. */
export interface KeyVaultEvent {
  readonly type: KeyVaultEventType;
  /** The same for each delivery of one event. */
  readonly id: string | undefined;
  /** The resource id of the vault. */
  readonly topic: string;
  readonly time: Date | undefined;
  readonly vaultName: string | undefined;
  readonly objectType: string | undefined;
  readonly objectName: string | undefined;
  /** The address of the version: `https://VAULT.vault.azure.net/secrets/NAME/VERSION`. */
  readonly objectId: string | undefined;
  readonly version: string | undefined;
  readonly notBefore: Date | undefined;
  readonly expires: Date | undefined;
}

const TYPES = ['Secret', 'Key', 'Certificate'].flatMap((object) =>
  ['NewVersionCreated', 'NearExpiry', 'Expired'].map(
    (what) => `Microsoft.KeyVault.${object}${what}` as KeyVaultEventType,
  ),
);

/** The event as that of a vault; `undefined` for every other type. */
export function keyVaultEvent({ type, id, topic, time, data }: GridEvent): KeyVaultEvent | undefined {
  const known = TYPES.find((one) => one.toLowerCase() === type.toLowerCase());
  if (known === undefined) return undefined;
  return {
    type: known,
    id,
    topic,
    time,
    vaultName: data.text('VaultName'),
    objectType: data.text('ObjectType'),
    objectName: data.text('ObjectName'),
    objectId: data.text('Id'),
    version: data.text('Version'),
    notBefore: data.seconds('NBF'),
    expires: data.seconds('EXP'),
  };
}
