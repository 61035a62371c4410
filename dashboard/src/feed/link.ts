// How fresh the picture is, as pure functions of time, so that they can be tested without a socket.
export type LinkState = "connecting" | "live" | "slow" | "reconnecting" | "frozen";

// No frame for 3 s is slow, for 5 s the socket is opened anew, for 15 s the picture is frozen (dashboard reference 5).
const SLOW_S = 3;
const REOPEN_S = 5;
const FROZEN_S = 15;
const RETRY_S_MIN = 0.5;
const RETRY_S_MAX = 10;

export function linkState(sinceFrameS: number | null, sinceStartS: number): LinkState {
  if (sinceFrameS === null) return sinceStartS > FROZEN_S ? "frozen" : "connecting";
  if (sinceFrameS > FROZEN_S) return "frozen";
  if (sinceFrameS > REOPEN_S) return "reconnecting";
  return sinceFrameS > SLOW_S ? "slow" : "live";
}

export function mustReopen(sinceFrameS: number | null, sinceOpenS: number): boolean {
  return Math.min(sinceFrameS ?? Number.POSITIVE_INFINITY, sinceOpenS) > REOPEN_S;
}

/** Wait before the next attempt: exponential with full jitter; ``chance`` is in [0, 1). */
export function retryAfterS(attempt: number, chance: number): number {
  return chance * Math.min(RETRY_S_MAX, RETRY_S_MIN * 2 ** attempt);
}
