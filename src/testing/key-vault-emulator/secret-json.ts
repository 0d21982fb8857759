import { type SecretVersion, seconds, type VaultSecret } from './vault-content';

/** A version with its value, as `get` shows it. JSON leaves out what is `undefined`. */
export function secretBundle(vaultUrl: string, secret: VaultSecret, version: SecretVersion): object {
  const { id, value, managed, contentType, tags } = version;
  return {
    value,
    contentType,
    id: `${vaultUrl}/secrets/${secret.name}/${id}`,
    managed: managed || undefined,
    attributes: attributesOf(version),
    kid: managed ? `${vaultUrl}/keys/${secret.name}/${id}` : undefined,
    tags,
  };
}

/** What lists show: of a secret without the id of its version, which lists do not tell. */
export function secretItem(vaultUrl: string, secret: VaultSecret, version: SecretVersion, id = ''): object {
  const { managed, contentType, tags } = version;
  return {
    contentType,
    id: `${vaultUrl}/secrets/${secret.name}${id && `/${id}`}`,
    managed: managed || undefined,
    attributes: attributesOf(version),
    tags,
  };
}

function attributesOf({ enabled = true, notBefore, expiresOn, created, updated }: SecretVersion): object {
  return {
    enabled,
    nbf: notBefore && seconds(notBefore.getTime()),
    exp: expiresOn && seconds(expiresOn.getTime()),
    created,
    updated,
    recoveryLevel: 'Recoverable+Purgeable',
    recoverableDays: 90,
  };
}
