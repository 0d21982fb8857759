import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';
import { errorCode } from '../../internal/describe-error';
import { type NodeForgeModule, readLegacyPfx } from './legacy-pfx';
import { pemOfPkcs12 } from './pkcs12';
import { passphraseMissing, passphraseWrong } from './private-key';

/**
 * Takes a PFX apart and returns its certificates and key as one PEM text. Node would also trust every certificate in a PFX: a
 * server would let in clients of its own authority, and a client would trust servers of the authority of its own certificate.
 * @throws `PFX_INVALID`, `PFX_UNSUPPORTED`, `PASSPHRASE_MISSING`, `PASSPHRASE_WRONG`, `CERTIFICATE_MISSING`,
 * `PRIVATE_KEY_MISSING`.
 */
export function openPfx(
  alias: string,
  pfx: Buffer,
  passphrase: string | undefined,
  nodeForge?: NodeForgeModule,
): string {
  try {
    builtin('tls').createSecureContext({ pfx, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    if (errorCode(error) === 'ERR_CRYPTO_UNSUPPORTED_OPERATION') {
      return readLegacyPfx(alias, pfx, passphrase, nodeForge, true);
    }
    if (/mac absent/i.test(String(error))) {
      return readLegacyPfx(alias, pfx, passphrase, nodeForge, false);
    }
    throw pfxProblem(alias, error as Error, passphrase);
  }
  const pem = takenApart(alias, pfx, passphrase);
  if (pem !== undefined) return pem;
  throw new SecretsError(
    'PFX_UNSUPPORTED',
    `the PFX of "${alias}" uses an encryption that is not supported`,
    {
      secret: alias,
      next: 'Export it again: openssl pkcs12 -in OLD -nodes -out ALL.pem && openssl pkcs12 -export -in ALL.pem -out NEW',
    },
  );
}

function takenApart(alias: string, pfx: Buffer, passphrase: string | undefined): string | undefined {
  try {
    return pemOfPkcs12(pfx, passphrase);
  } catch {
    throw pfxInvalid(alias);
  }
}

/** Matches messages of OpenSSL and Node, because only two of these errors have codes. Node 20 to 26 use the same messages. */
function pfxProblem(alias: string, { message }: Error, passphrase: string | undefined): SecretsError {
  if (/mac verify failure/i.test(message)) {
    return passphrase === undefined ? passphraseMissing(alias, 'PFX') : passphraseWrong(alias, 'PFX');
  }
  if (/private key/i.test(message)) {
    return new SecretsError('PRIVATE_KEY_MISSING', `the PFX of "${alias}" has no private key`, {
      secret: alias,
      next: 'Export the PFX again with its key.',
    });
  }
  if (/certificate/i.test(message)) {
    return new SecretsError('CERTIFICATE_MISSING', `the PFX of "${alias}" has no certificate for its key`, {
      secret: alias,
      next: 'Export the PFX again with its certificate.',
    });
  }
  return pfxInvalid(alias);
}

function pfxInvalid(alias: string): SecretsError {
  return new SecretsError('PFX_INVALID', `the PFX of "${alias}" cannot be parsed`, {
    secret: alias,
    next: 'Check the stored file: openssl pkcs12 -in FILE -info -noout',
  });
}
