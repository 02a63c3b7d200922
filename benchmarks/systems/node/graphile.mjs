// npm graphile-worker.
import pg from 'pg'
import { Logger, makeWorkerUtils, run } from 'graphile-worker'

const logger = new Logger(() => () => {})

export function make (place, settings) {
  let pool, utils
  return {
    async install () {
      const installing = await makeWorkerUtils({ connectionString: place.dsn, logger })
      await installing.migrate()
      await installing.release()
    },
    async open (connections) {
      pool = new pg.Pool({ connectionString: place.dsn, max: connections })
      utils = await makeWorkerUtils({ pgPool: pool, logger })
    },
    async close () {
      await utils.release()
      await pool.end()
    },
    async enqueue (first, count) {
      for (let i = first; i < first + count; i += settings.insert) {
        const jobs = []
        for (let n = i; n < Math.min(i + settings.insert, first + count); n++) jobs.push({ identifier: 'q', payload: { n } })
        await utils.addJobs(jobs)
      }
    },
    send: n => utils.addJob('q', { n }),
    async work (handled, ready, stopped) {
      ready()
      const worker = { connectionString: place.dsn, logger, ...settings.worker }
      const runner = await run({ preset: { worker }, noHandleSignals: true, taskList: { q: async ({ n }) => { handled(n) } } })
      await stopped
      await Promise.race([runner.stop(), new Promise(resolve => setTimeout(resolve, 1000))])
    }
  }
}
