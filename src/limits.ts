// Limits. It owns how much work may be under way at once; rates are the gateway's for now.

export interface Gate {
  /** Whether one more may start; every `true` needs a `leave`. */
  enter(): boolean
  leave(): void
  inFlight(): number
}

export function createGate(max: number): Gate {
  let inFlight = 0
  return {
    enter: () => {
      if (inFlight >= max) return false
      inFlight++
      return true
    },
    leave: () => {
      inFlight--
    },
    inFlight: () => inFlight,
  }
}
