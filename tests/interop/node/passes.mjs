// The parts of real pg-boss that fire schedules, one at a time, when a script says so.

import Timekeeper from './node_modules/pg-boss/dist/timekeeper.js'

const SEND_IT = '__pgboss__send-it'
const BATCH = 50

export class Passes {
  constructor (boss, { clock, schema, errors }) {
    this.boss = boss
    this.database = boss.getDb()
    this.schema = schema
    const manager = {
      insert: (...args) => boss.insert(...args),
      send: (...args) => boss.send(...args)
    }
    const config = { clock, schema, cronMonitorIntervalSeconds: 1, cronWorkerIntervalSeconds: 1, persistWarnings: false }
    this.timekeeper = new Timekeeper(this.database, manager, config)
    this.timekeeper.stopped = false
    this.warnings = []
    this.timekeeper.on('warning', warning => this.warnings.push(warning))
    // What could not be sent is told as an event, not as an answer.
    this.timekeeper.on('error', error => errors.push(String(error?.message ?? error)))
  }

  // A pass, if its turn has come; the warnings that it gave.
  async cronPass () {
    await this.timekeeper.onCron()
    return this.warnings.splice(0).map(({ data }) => data)
  }

  async deliverSchedules () {
    const jobs = await this.boss.fetch(SEND_IT, { batchSize: BATCH })
    if (jobs.length === 0) return
    await this.timekeeper.onSendIt(jobs)
    await this.boss.complete(SEND_IT, jobs.map(job => job.id))
  }

  // What older releases leave behind.
  async mislabel (queue, kind) {
    await this.database.executeSql(`UPDATE ${this.schema}.schedule SET kind = $2 WHERE name = $1`, [queue, kind])
  }

  async putExpression (queue, expression, tz) {
    await this.database.executeSql(
      `UPDATE ${this.schema}.schedule SET cron = $2, timezone = $3 WHERE name = $1`, [queue, expression, tz]
    )
  }
}
