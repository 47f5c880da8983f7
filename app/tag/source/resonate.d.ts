/** The browser tag of Resonate: `window.resonate` is a list of what is to be done until it has loaded, then this object. */
export type Consent = "none" | "ask" | "measure" | "personal";

/** Why somebody is not in an experiment. */
export type Because = "unknown" | "unavailable" | "disabled" | "unit" | "consent" | "audience" | "holdout" | "layer" | "traffic";

export interface Decision<Payload = unknown> {
  variant: string;
  payload: Payload | null;
  in_experiment: boolean;
  because: Because | null;
  /** By a preview: never counted. */
  forced: boolean;
}

export interface RecommendedItem {
  product_id: string;
  position: number;
  [name: string]: unknown;
}

export interface Recommendations {
  recommendation_id?: string;
  items: RecommendedItem[];
  [name: string]: unknown;
}

/** Nothing of it throws. */
export interface Resonate {
  readonly version: string;
  /** Always resolves, once everything is decided. */
  readonly ready: Promise<{ ok: boolean; cause: string | null }>;
  /** The visitor's id; null where consent is `none`. */
  readonly id: string | null;
  variant<Payload = unknown>(key: string): Decision<Payload>;
  /** What stands at a dotted path of the payload, else the fallback. */
  payload<Value = unknown>(key: string, field?: string, fallback?: Value): Value;
  /** Calls now, and when the decision changes. */
  on<Payload = unknown>(key: string, listener: (decision: Decision<Payload>) => void): void;
  /** The place of an experiment is seen: for `data-resonate-expose="manual"` and for what code shows. */
  expose(key: string): void;
  track(event: string, properties?: Record<string, unknown>): void;
  page(properties?: Record<string, unknown>): void;
  identify(userId: string | number | null, options?: { token?: string; traits?: Record<string, unknown> }): void;
  /** Somebody else uses this browser from now on. */
  reset(): void;
  /** A rise holds from the next page or route on, with `now` at once. */
  consent(mode: Consent, options?: { now?: boolean }): void;
  /** Adds attributes, which conditions may ask. */
  attributes(attributes: Record<string, unknown>): void;
  recommend(slot: string, options?: { items?: string[]; limit?: number }): Promise<Recommendations>;
  push(...entries: Array<((resonate: Resonate) => void) | [name: string, ...given: unknown[]]>): void;
}

declare global {
  interface Window {
    resonate: Resonate | Array<((resonate: Resonate) => void) | [name: string, ...given: unknown[]]>;
  }
}
