// The stream of `state` events. The browser reconnects by itself after a break; a refusal (401, 403) ends the
// stream for good, and then it is tried again slowly, since the page must heal without anyone's help.
import { readOverview } from '../api/overview';
import type { Overview } from '../api/types';

export interface Source {
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: Event) => void) | null;
  readonly readyState: number;
  addEventListener(kind: string, handler: (event: MessageEvent) => void): void;
  close(): void;
}
export interface LiveOptions {
  url: string;
  open: (url: string) => Source;
  onState: (overview: Overview) => void;
  onRefused: () => void;
  retryMs?: number;
}

const CLOSED = 2;

export class LiveFeed {
  private source: Source | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: LiveOptions) {}

  start(): void {
    if (this.source) return;
    clearTimeout(this.timer);
    const source = this.options.open(this.options.url);
    this.source = source;
    source.addEventListener('state', (event) => {
      const overview = readOverview(event.data);
      // What cannot be read is no event: the page grows stale, and says so.
      if (overview) this.options.onState(overview);
    });
    source.onerror = () => {
      if (source.readyState === CLOSED) this.refused(source);
    };
    // The person is logged out.
    source.addEventListener('bye', () => this.refused(source));
  }

  private refused(source: Source): void {
    if (this.source !== source) return;
    source.close();
    this.source = null;
    this.timer = setTimeout(() => this.start(), this.options.retryMs ?? 2000);
    this.options.onRefused();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
