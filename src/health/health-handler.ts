import { isSecretsError, SecretsError } from '../errors';
import { httpHandler } from '../http/http-handler';
import type { Answer, HttpHandler } from '../http/types';
import {
  checkedHealthOptions,
  type HealthOptions,
  type HealthReport,
  type HealthStore,
  healthReport,
} from './check-health';

export interface HealthHandlerOptions extends HealthOptions {
  /**
   * `readiness`: fails while the store is closed, and when it is stale if `stale` says so. `liveness`: answers 200 for as
   * long as the process answers, unless `stale` is `fail`: to restart a pod brings no newer secret, and loses the last
   * good ones. Default: `readiness`.
   */
  readonly probe?: 'readiness' | 'liveness';
}

const WHERE = 'healthHandler';

/**
 * An endpoint for the probes of Kubernetes and of load balancers. It says one word and numbers, neither names nor values,
 * and so needs no authorization: `{ healthy, status, generation, stalenessMs }`, with 200 or 503 (`stalenessMs` of sources that can go
 * stale; the environment cannot). For names and reasons
 * there is `statusHandler`.
 *
 * Throws `OPTION_INVALID`, `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const ready = healthHandler(secrets, { stale: 'fail', maxStalenessMs: 300_000 });
 * const live = healthHandler(secrets, { probe: 'liveness' });
 * app.get('/readyz', ready.node);
 * app.get('/livez', live.node);
 * ```
 */
export function healthHandler(store: HealthStore, options: HealthHandlerOptions = {}): HttpHandler {
  const checked = checkedHealthOptions(WHERE, options, ['probe']);
  const { probe = 'readiness' } = options;
  if (probe !== 'readiness' && probe !== 'liveness') {
    throw new SecretsError('OPTION_INVALID', `probe of ${WHERE} is neither "readiness" nor "liveness"`);
  }

  function respond(): Answer {
    const report = { ...healthReport(store, checked), ...closedReport() };
    return { status: report.healthy ? 200 : 503, body: report };
  }

  /** A store that is closed goes with its process: no reason to kill that before it is done. */
  function closedReport(): Partial<HealthReport> {
    try {
      store.snapshot();
      return {};
    } catch (error) {
      if (!isSecretsError(error, 'STORE_CLOSED')) throw error;
      return { healthy: probe === 'liveness', status: 'closed' };
    }
  }

  return httpHandler({ where: WHERE, methods: ['GET', 'HEAD'], admits: 'anybody', respond });
}
