/**
 * Tests whose peer has to be steady. A busy machine may keep the peer or this process from running for longer than the
 * timers under test: then no peer is steady, and the test has shown nothing.
 */
import { ownPeers, type SlowPeer } from './slow-peer.js'

const ATTEMPTS = 4

/** Says for how long this process was kept from running at once, at most. */
function watchLateness(): () => number {
  const everyMs = 20
  let most = 0
  let due = performance.now() + everyMs
  const timer = setInterval(() => {
    const now = performance.now()
    most = Math.max(most, now - due)
    due = now + everyMs
  }, everyMs)
  return () => {
    clearInterval(timer)
    return Math.max(most, performance.now() - due)
  }
}

/**
 * Begins a test anew that failed after the machine kept its slow peers or this process waiting for longer than this: four
 * times in all. A test that fails otherwise fails.
 */
export function steadily(mostMs: number, test: () => Promise<void>): () => Promise<void> {
  return async () => {
    for (let attempt = 1; ; attempt++) {
      const peers: SlowPeer[] = []
      const lateness = watchLateness()
      try {
        await ownPeers.run(peers, test)
        return
      } catch (error) {
        const own = lateness()
        const counts = await Promise.all(peers.map((peer) => peer.count()))
        const lateMs = Math.max(own, ...counts.map((count) => count.lateMs))
        if (attempt === ATTEMPTS || lateMs <= mostMs) throw error
      } finally {
        lateness()
      }
    }
  }
}
