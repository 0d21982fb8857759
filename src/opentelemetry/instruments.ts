/** What is counted when it happens. */
export const counters = {
  'hot_secrets.secret.rotations': {
    unit: '{rotation}',
    description: 'New values of secrets that had one before.',
  },
  'hot_secrets.secret.reads': {
    unit: '{read}',
    description: 'Reads of secrets.',
  },
  'hot_secrets.store.errors': {
    unit: '{error}',
    description: 'Things that began to be wrong with sources and values: once per cause, not once per retry.',
  },
  'hot_secrets.resource.rotations': {
    unit: '{rotation}',
    description: 'Renewals of what follows secrets, by how they ended.',
  },
  'hot_secrets.resource.rejections': {
    unit: '{rejection}',
    description: 'New resources that were not good enough: once per cause, not once per retry.',
  },
  'hot_secrets.resource.errors': {
    unit: '{error}',
    description: 'Old resources that were closed by force or not cleanly, and listeners that failed.',
  },
} as const;

/** What is measured when it happens. */
export const histograms = {
  'hot_secrets.refresh.duration': {
    unit: 's',
    description: 'Duration of looks at sources.',
    // From a mount that did not change to a vault that does not answer.
    advice: { explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30] },
  },
} as const;

/** What is asked for when metrics are collected: values that say how much, and values that add up over processes. */
export const gauges = {
  'hot_secrets.store.generation': {
    unit: '{generation}',
    description: 'Generation of the store: one more with each change of its secrets.',
  },
  'hot_secrets.source.staleness': {
    unit: 's',
    description: 'Time since the last good look at a source.',
  },
  'hot_secrets.secret.time_left': {
    unit: 'd',
    description: 'Days until a certificate or another value ends; negative once it has.',
  },
  'hot_secrets.resource.generation': {
    unit: '{generation}',
    description: 'Generation of the store that a resource was built from.',
  },
} as const;

export const upDownCounters = {
  'hot_secrets.store.status': {
    unit: '1',
    description: 'Health of the store: 1 for the state that it is in, 0 for the others.',
  },
  'hot_secrets.resource.connection.count': {
    unit: '{connection}',
    description: 'Open connections of a resource: those of the current credential, and old ones that drain.',
  },
  'hot_secrets.resource.draining.count': {
    unit: '{generation}',
    description: 'Old generations of a resource that are on their way out.',
  },
  'hot_secrets.resource.rejected': {
    unit: '1',
    description:
      '1 while a newer generation of the resource is rejected and tried again; the old one serves.',
  },
  'hot_secrets.resource.refused': {
    unit: '1',
    description: '1 while the server refuses the credential of the resource.',
  },
} as const;

export type ObservedName = keyof typeof gauges | keyof typeof upDownCounters;
