// npm bullmq, on Redis where it is given one and else on PostgreSQL.
import { Queue, Worker, createPostgresBackend } from 'bullmq'

export function make (place, settings) {
  let queue
  const parts = (max, more = {}) => {
    if (!place.redis) return [{ connection: { connectionString: place.dsn, max, ...more } }, createPostgresBackend]
    const url = new URL(place.redis)
    return [{ connection: { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null } }]
  }
  const open = async (...options) => {
    queue = new Queue('q', ...parts(...options))
    await queue.waitUntilReady()
  }
  return {
    async install () {
      await open(2, { migrate: true })
      await queue.close()
    },
    open: connections => open(connections),
    close: () => queue.close(),
    async enqueue (first, count) {
      for (let i = first; i < first + count; i += settings.insert) {
        const jobs = []
        for (let n = i; n < Math.min(i + settings.insert, first + count); n++) jobs.push({ name: 'j', data: { n } })
        await queue.addBulk(jobs)
      }
    },
    send: n => queue.add('j', { n }),
    async work (handled, ready, stopped) {
      ready()
      const [options, ...backend] = parts(10)
      const worker = new Worker('q', async job => { handled(job.data.n) }, { ...options, ...settings.worker }, ...backend)
      worker.on('error', console.error)
      await stopped
      await Promise.race([worker.close(), new Promise(resolve => setTimeout(resolve, 1000))])
    }
  }
}
