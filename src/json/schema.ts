import { InvalidMessageError } from '../errors.js'
import { isThenable, showValue } from '../check.js'
import { SchemaFailure } from '../service/codec.js'

/** A validator of any library that follows Standard Schema, version 1 (https://standardschema.dev). */
export interface StandardSchema<Output = unknown> {
  /** What Standard Schema asks for. */
  readonly '~standard': {
    readonly version: 1
    /** The name of the library. */
    readonly vendor: string
    /** Checks a value, at once or later. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    /** For the compiler alone. */
    readonly types?:
      | {
          /** The type of what is checked. */
          readonly input: unknown
          /** The type of the result. */
          readonly output: Output
        }
      | undefined
  }
}

/** What is wrong with a value. */
interface Issue {
  /** What is wrong, in words. */
  readonly message: string
  /** Where in the value: the keys that lead there. */
  readonly path?: readonly unknown[] | undefined
}

/** A value that the schema allows, as it converts it, or what is wrong. */
type SchemaResult<Output> =
  | {
      /** The value, as the schema converts it. */
      readonly value: Output
      /** Nothing is wrong. */
      readonly issues?: undefined
    }
  | {
      /** What is wrong. */
      readonly issues: readonly Issue[]
    }

/** @throws InvalidMessageError with 1007 for what the schema does not allow; SchemaFailure. A promise rejects with them */
export function validate<T>(schema: StandardSchema<T>, value: unknown): T | Promise<T> {
  let result
  try {
    result = schema['~standard'].validate(value)
  } catch (error) {
    throw new SchemaFailure(error)
  }
  if (!isThenable(result)) return accepted(result)
  return Promise.resolve(result).then(accepted, (error: unknown) => {
    throw new SchemaFailure(error)
  })
}

/**
 * The value of a result. Anything else, such as the true or false of other validators, must count neither as valid nor as the peer's fault.
 * @throws InvalidMessageError; SchemaFailure for anything else than a result, and for what its getters throw
 */
function accepted<T>(result: SchemaResult<T>): T {
  let issues: unknown
  try {
    if (typeof result === 'object' && (result as unknown) !== null) {
      issues = result.issues
      if (issues === undefined && 'value' in result) return result.value
    }
  } catch (error) {
    throw new SchemaFailure(error)
  }
  if (Array.isArray(issues)) {
    throw new InvalidMessageError(1007, 'a message that the schema does not allow', {
      issues: issues as readonly Issue[],
    })
  }
  const rule = 'validate of a schema must return { value } or { issues }'
  throw new SchemaFailure(new TypeError(`${rule}, not ${showValue(result)}`))
}

/** @throws TypeError for what does not follow Standard Schema, version 1 */
export function checkSchema(schema: unknown): void {
  const isHolder = (typeof schema === 'object' && schema !== null) || typeof schema === 'function'
  const standard = isHolder ? (schema as Partial<StandardSchema>)['~standard'] : undefined
  if (standard?.version !== 1 || typeof standard.validate !== 'function') {
    throw new TypeError(
      `schema must follow Standard Schema version 1 (a '~standard' with validate), not ${showValue(schema)}`,
    )
  }
}
