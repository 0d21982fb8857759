/** The pages of each part of the sidebar, with their titles. */
export const pagesByTask: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Start: {
    'getting-started': 'Getting started',
    frameworks: 'Frameworks',
    testing: 'Testing your service',
    bundling: 'Bundling and runtimes',
    migration: 'Migrating',
    aks: 'Running on AKS',
  },
  Secrets: {
    sources: 'Sources',
    values: 'Values',
    'key-vault': 'Azure Key Vault',
    certificates: 'Certificates',
    triggers: 'Triggers',
  },
  Clients: {
    postgresql: 'PostgreSQL',
    mysql: 'MySQL and MariaDB',
    'tls-servers': 'TLS servers',
    'https-clients': 'HTTPS clients',
    undici: 'fetch and undici',
    websockets: 'WebSockets',
    rotating: 'Any other client',
  },
  Operations: {
    doctor: 'Doctor',
    troubleshooting: 'Troubleshooting',
    'status-page': 'Status page',
    telemetry: 'Telemetry',
    logging: 'Logging',
  },
  Reference: {
    'reference/configuration': 'Configuration',
    errors: 'Errors',
    events: 'Events',
    'api/': 'API',
  },
  Explanations: {
    'how-it-works': 'How it works',
    security: 'Security',
    performance: 'Performance',
  },
};
