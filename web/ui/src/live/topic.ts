/** Where a topic stands: events of one epoch are numbered without holes; a restart of the server begins a new epoch. */
export interface Pair { epoch: string; n: number }
export interface LiveEvent { topic: string; epoch: string; n: number; event: string; data: unknown }

export const parsePair = (text: string | null | undefined): Pair | null => {
  const match = /^(.+):(\d+)$/.exec(text ?? '')
  return match ? { epoch: match[1], n: Number(match[2]) } : null
}

/**
 * Brings a snapshot and its later events together.
 *
 * Events that come while no snapshot is there wait; those the snapshot already holds are dropped; a hole, a new epoch
 * or a heartbeat that is ahead asks for a fresh snapshot. Pure: no clock, no network.
 */
export class TopicLog {
  private at: Pair | null = null
  /** The latest position heard of by any way. */
  private seen: Pair | null = null
  private waiting: LiveEvent[] = []

  constructor(private readonly apply: (event: LiveEvent) => void, private readonly refetch: () => void) {}

  get position(): Pair | null {
    return this.at
  }

  /** A snapshot was read at `pair`. Null: the answer did not say; then everything that waits is applied once more. */
  snapshot(pair: Pair | null): void {
    const later = this.waiting
    this.waiting = []
    if (pair) {
      this.at = pair
      for (const event of later) this.receive(event)
    } else {
      for (const event of later) this.apply(event)
      this.at = this.seen
    }
  }

  /** A fresh snapshot is on its way: hold what comes until then. */
  expect(): void {
    this.at = null
  }

  receive(event: LiveEvent): void {
    this.seen = { epoch: event.epoch, n: event.n }
    if (!this.at) {
      this.waiting.push(event)
    } else if (event.epoch !== this.at.epoch || event.n > this.at.n + 1) {
      this.waiting.push(event)
      this.lost()
    } else if (event.n === this.at.n + 1) {
      this.at = this.seen
      this.apply(event)
    }
  }

  /** The server's position: anything ahead of ours means that a message was lost. */
  heartbeat(pair: Pair): void {
    this.seen = pair
    if (this.at && (pair.epoch !== this.at.epoch || pair.n > this.at.n)) this.lost()
  }

  private lost(): void {
    this.at = null
    this.refetch()
  }
}
