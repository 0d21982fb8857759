/** A format that is not PEM, DER or PFX: what it is, and how to convert it. */
export interface ForeignFormat {
  /** With its article: `a Java keystore (JKS)`. */
  readonly what: string;
  readonly next: string;
}

const KEYSTORE: ForeignFormat = {
  what: 'a Java keystore (JKS)',
  next: 'Convert it: keytool -importkeystore -srckeystore FILE -destkeystore NEW -deststoretype PKCS12',
};
const PKCS7: ForeignFormat = {
  what: 'a PKCS#7 container (p7b)',
  next: 'Convert it: openssl pkcs7 -print_certs -in FILE -out NEW (with -inform DER for a binary file).',
};
const REQUEST: ForeignFormat = {
  what: 'a certificate signing request',
  next: 'Store the certificate that the issuer returned for it.',
};
const OPENSSH: ForeignFormat = {
  what: 'a private key in the format of OpenSSH',
  next: 'Convert a copy of it: ssh-keygen -p -m PEM -f COPY. OpenSSH converts RSA and ECDSA keys only.',
};
const PUTTY: ForeignFormat = {
  what: 'a private key in the format of PuTTY',
  next: 'Convert it: puttygen FILE -O private-openssh -o NEW',
};
const PUBLIC: ForeignFormat = {
  what: 'a public key',
  next: 'Store the private key or the certificate.',
};
const REVOKED: ForeignFormat = {
  what: 'a list of revoked certificates (CRL)',
  next: 'Store the certificates themselves.',
};
const PGP: ForeignFormat = {
  what: 'an OpenPGP message or key',
  next: 'Store what it contains: gpg --decrypt FILE',
};
const PARAMETERS: ForeignFormat = { what: 'a set of parameters', next: 'Store the key or certificate.' };

/** Returns the format of a PEM block that is neither a certificate nor a key. */
export function foreignLabel(label: string): ForeignFormat | undefined {
  if (label === 'OPENSSH PRIVATE KEY') return OPENSSH;
  if (/^(PKCS ?#?7( SIGNED DATA)?|CMS)$/.test(label)) return PKCS7;
  if (/CERTIFICATE REQUEST$/.test(label)) return REQUEST;
  if (/PUBLIC KEY$/.test(label)) return label.startsWith('PGP') ? PGP : PUBLIC;
  if (/CRL$/.test(label)) return REVOKED;
  if (label.startsWith('PGP ')) return PGP;
  return /PARAMETERS$/.test(label) ? PARAMETERS : undefined;
}

/** Returns the format of a file of another tool, by its first bytes. */
export function foreignBinary(bytes: Buffer): ForeignFormat | undefined {
  const magic = bytes.subarray(0, 4).toString('hex');
  if (magic === 'feedfeed') return KEYSTORE;
  return magic === 'cececece' ? { ...KEYSTORE, what: 'a Java keystore (JCEKS)' } : undefined;
}

/** Returns the format of a text without PEM blocks. */
export function foreignText(text: string): ForeignFormat | undefined {
  if (/^PuTTY-User-Key-File-/.test(text)) return PUTTY;
  if (/^(ssh-(rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+@openssh\.com) /.test(text)) {
    return { what: 'a public key in the format of OpenSSH', next: PUBLIC.next };
  }
  if (/^\s*\{[\s\S]{0,2000}"kty"\s*:/.test(text)) {
    return { what: 'a JSON web key (JWK)', next: 'Store the key as PEM.' };
  }
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) {
    return {
      what: 'a web page or XML',
      next: 'Check how it is downloaded: a login page or an error may be stored.',
    };
  }
  if (/^\s*(apiVersion:|\{[\s\S]{0,2000}"apiVersion"\s*:)/.test(text)) {
    return { what: 'a Kubernetes manifest', next: 'Store one decoded value of its data.' };
  }
  return undefined;
}
