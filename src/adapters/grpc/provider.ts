import type { experimental } from '@grpc/grpc-js';
import type { Material } from './material';

type Provider = experimental.CertificateProvider;
type CaListener = experimental.CaCertificateUpdateListener;
type IdentityListener = experimental.IdentityCertificateUpdateListener;

/**
 * Tells gRPC the pair and the authorities of one generation, in one turn of the event loop: no handshake comes in between. It
 * never tells that there is nothing (`null`), upon which gRPC would refuse every connection.
 */
export class MaterialProvider implements Provider {
  readonly #ca = new Set<CaListener>();
  readonly #identity = new Set<IdentityListener>();
  readonly #current: () => Material;

  constructor(current: () => Material) {
    this.#current = current;
  }

  addCaCertificateListener(listener: CaListener): void {
    add(this.#ca, listener, () => this.#tellCa(listener));
  }

  removeCaCertificateListener(listener: CaListener): void {
    this.#ca.delete(listener);
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    add(this.#identity, listener, () => this.#tellIdentity(listener));
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#identity.delete(listener);
  }

  /** Tells the listeners what has changed. Each update costs a server the making of a context. */
  swap(previous: Material): void {
    const { caCertificate, certificate, privateKey } = this.#current();
    if (!isSame(caCertificate, previous.caCertificate)) {
      for (const listener of [...this.#ca]) this.#tellCa(listener);
    }
    if (!isSame(certificate, previous.certificate) || !isSame(privateKey, previous.privateKey)) {
      for (const listener of [...this.#identity]) this.#tellIdentity(listener);
    }
  }

  // gRPC passes the buffers on to Node, for which `undefined` means the default.
  #tellCa(listener: CaListener): void {
    listener({ caCertificate: this.#current().caCertificate as Buffer });
  }

  #tellIdentity(listener: IdentityListener): void {
    const { certificate, privateKey } = this.#current();
    listener({ certificate: certificate as Buffer, privateKey: privateKey as Buffer });
  }
}

/** A server applies updates only after it has added its listeners. */
function add<L>(listeners: Set<L>, listener: L, tell: () => void): void {
  listeners.add(listener);
  process.nextTick(() => {
    if (listeners.has(listener)) tell();
  });
}

function isSame(one: Buffer | undefined, other: Buffer | undefined): boolean {
  return one === undefined || other === undefined ? one === other : one.equals(other);
}
