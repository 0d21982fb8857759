import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

/** What an authorizer sees of a request: never its body. */
export interface AuthorizerRequest {
  readonly method: string;
  /**
   * Behind a proxy only the path and the query are meaningful. The path is not decoded, while routers decode theirs and
   * may ignore case, so tell endpoints apart by `method` only. The query may hold a secret: do not log it.
   */
  readonly url: URL;
  readonly headers: Headers;
}

/**
 * Decides who may call an endpoint: only `true` admits a request. A throw, a rejection or a late answer is a failure, not
 * a refusal: the response is 503, so that the sender tries again.
 */
export interface Authorizer {
  (request: AuthorizerRequest): boolean | Promise<boolean>;
  /** The `WWW-Authenticate` header of a refusal. Default: `Bearer`. */
  readonly challenge?: string;
}

/** The parts of a Web `Request` that a handler needs. An `HttpRequest` of Azure Functions has them too. */
export interface WebRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: WebBody | null;
  readonly bodyUsed: boolean;
}

/** The parts of a `ReadableStream` that a handler needs: its types in Node and in browsers are incompatible. */
export interface WebBody {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
    cancel(): Promise<void>;
  };
}

/** A request of `node:http`, `node:https` or `node:http2`, also after Express or Connect have handled it. */
export type NodeRequest = (IncomingMessage | Http2ServerRequest) & {
  /** The body as a body parser left it. */
  readonly body?: unknown;
  /** The URL before a router removed its prefix. */
  readonly originalUrl?: string;
};

/** The parts of a response of `node:http` that a handler uses. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** A response for a framework to send. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One endpoint in three forms. None ever throws or rejects. */
export interface HttpHandler {
  /** The Web form: Hono, Bun, Deno, Next, Azure Functions. */
  (request: WebRequest): Promise<Response>;
  /** The Node form, which sends the response itself: `node:http`, Express, Connect. */
  readonly node: (request: NodeRequest, response: NodeResponse) => Promise<void>;
  /** For frameworks that send the response, and let hooks change it: Koa, Fastify. */
  readonly answer: (request: NodeRequest) => Promise<HttpAnswer>;
}

/** A request of either form. */
export interface Incoming extends AuthorizerRequest {
  /** Reads the body; called at most once. */
  readBody(limits: BodyLimits): Promise<Body>;
}

export interface BodyLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/** A body, or why there is none. `consumed`: something read it before and left nothing. */
export type Body =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'parsed'; readonly content: unknown }
  | { readonly kind: 'too-large' | 'too-slow' | 'broken' | 'consumed' };

/** A response, before it takes either form. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent as JSON. */
  readonly body?: object;
  /** Sent unchanged instead of `body`; `headers` state its type. */
  readonly text?: string;
}

/** An authorized request. */
export interface Received extends AuthorizerRequest {
  /** The body as JSON, or the answer that says what is wrong with it. Called at most once. */
  json(): Promise<{ readonly content: unknown } | { readonly refusal: Answer }>;
}
