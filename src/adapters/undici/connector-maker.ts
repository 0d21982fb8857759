import type { Agent, buildConnector } from 'undici';
import { contextFor, type SecureOptions, withoutContextOptions } from '../tls/secure-options';
import type { UndiciModule } from './dispatcher-generation';

/** Makes what opens connections for a pool with these settings. */
export type MakeConnector = (settings: Agent.Options) => buildConnector.connector;

/** Settings of a pool that undici hands on to the connector that it builds. */
const HANDED_ON = [
  'allowH2',
  'autoSelectFamily',
  'autoSelectFamilyAttemptTimeout',
  'maxCachedSessions',
  'socketPath',
] as const;

/** Makes connectors as a pool of undici would from its `connect` options, but around one context. Throws what `contextFor` throws. */
export function connectorMaker(
  undici: Pick<UndiciModule, 'buildConnector'>,
  name: string,
  connect: SecureOptions,
): MakeConnector {
  const secure = { ...withoutContextOptions(connect), secureContext: contextFor(name, connect) };
  return (settings) => {
    const given = HANDED_ON.filter((option) => settings[option] !== undefined);
    return undici.buildConnector({
      ...Object.fromEntries(given.map((option) => [option, settings[option]])),
      ...(settings.connectTimeout === undefined ? {} : { timeout: settings.connectTimeout }),
      ...secure,
    });
  };
}
