export type WriterName = 'kubelet' | 'driver' | 'alternating' | 'plain';

/**
 * Writers of a mount. `kubelet` is the AtomicWriter of Kubernetes 1.29 and later, which makes the links of new keys after the
 * swap; `driver` is the copy of it in the Secrets Store CSI driver, which makes them before. `alternating` swaps `..data`
 * between two fixed directories. `plain` rewrites every file in place.
 *
 * Each makes one system call at a time, and yields a description of it right after the call.
 */
export const WRITERS: Readonly<
  Record<WriterName, (root: string, content: Readonly<Record<string, string>>) => Generator<string, void>>
>;
