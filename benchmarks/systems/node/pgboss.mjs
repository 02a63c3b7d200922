// npm pg-boss, with handlers that take batches.
import { PgBoss } from 'pg-boss'

export function make (place, settings) {
  let sending
  const start = async options => {
    const boss = new PgBoss({ connectionString: place.dsn, ...options })
    boss.on('error', console.error)
    await boss.start()
    return boss
  }
  return {
    async install () {
      const boss = await start({ supervise: false, schedule: false })
      await boss.createQueue('q', settings.queue)
      await boss.stop({ graceful: false })
    },
    async open (connections) {
      sending = await start({ supervise: false, schedule: false, max: connections })
    },
    close: () => sending.stop({ graceful: false }),
    async enqueue (first, count) {
      for (let i = first; i < first + count; i += settings.insert) {
        const jobs = []
        for (let n = i; n < Math.min(i + settings.insert, first + count); n++) jobs.push({ data: { n } })
        await sending.insert('q', jobs)
      }
    },
    send: n => sending.send('q', { n }),
    async work (handled, ready, stopped) {
      const boss = await start({ max: 10, ...settings.boss })
      ready()
      await boss.work('q', settings.work, async jobs => { for (const job of jobs) handled(job.data.n) })
      await stopped
      await boss.stop({ graceful: false })
    }
  }
}
