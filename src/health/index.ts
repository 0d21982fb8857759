export { type HealthOptions, type HealthReport, type HealthStore, healthCheck } from './check-health';
export { type HealthHandlerOptions, healthHandler } from './health-handler';
export { type HealthIndicatorReport, healthIndicator } from './health-indicator';
