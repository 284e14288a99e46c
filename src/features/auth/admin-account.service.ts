import { Injectable } from '@nestjs/common';
import { isEmail, length } from 'class-validator';
import type { Actor } from '../../common/actor.js';
import { InvalidRequestError } from '../../common/errors.js';
import { AuditService } from '../audit/index.js';
import { AccountAdminService, hashPassword, UserService } from '../users/index.js';

/** Anyone with a shell on the server. */
const OPERATOR: Actor = { userId: null, address: null };

/** Creates admins on behalf of the server's operator, who needs no account for it. */
@Injectable()
export class AdminAccountService {
  constructor(
    private readonly users: UserService,
    private readonly accounts: AccountAdminService,
    private readonly audit: AuditService,
  ) {}

  /**
   * Creates an admin: a new account, or an existing one, which is enabled and keeps its password.
   * @throws InvalidRequestError
   */
  async create(email: string, password: string): Promise<'created' | 'promoted'> {
    if (!isEmail(email)) throw new InvalidRequestError(`"${email}" is not an email address.`);
    const known = await this.users.findByEmail(email);
    if (known !== null) {
      await this.accounts.update(OPERATOR, known.id, { role: 'admin', disabled: false });
      await this.record(known.id, 'promoted');
      return 'promoted';
    }
    if (!length(password, 8, 128))
      throw new InvalidRequestError('The password must have 8 to 128 characters.');
    const passwordHash = await hashPassword(password);
    const user = await this.users.create({ email, passwordHash, role: 'admin' });
    await this.record(user.id, 'created');
    return 'created';
  }

  private record(userId: string, how: string): Promise<void> {
    return this.audit.record('admin.created', { actor: OPERATOR, userId, detail: { how } });
  }
}
