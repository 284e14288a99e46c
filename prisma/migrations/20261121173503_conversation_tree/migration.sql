-- CreateEnum
CREATE TYPE "title_source" AS ENUM ('question', 'model', 'user');

-- CreateEnum
CREATE TYPE "compaction" AS ENUM ('none', 'summary');

-- CreateEnum
CREATE TYPE "chore_kind" AS ENUM ('title', 'summary');

-- AlterEnum
ALTER TYPE "message_role" ADD VALUE 'tool';

-- DropIndex
DROP INDEX "conversations_user_id_id_idx";

-- DropIndex
DROP INDEX "messages_conversation_id_parent_id_idx";

-- AlterTable
ALTER TABLE "conversations" ADD COLUMN     "archived" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "compaction" "compaction" NOT NULL DEFAULT 'none',
ADD COLUMN     "pinned" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "titled_by" "title_source" NOT NULL DEFAULT 'question';

-- AlterTable
ALTER TABLE "messages" ADD COLUMN     "active" BOOLEAN NOT NULL DEFAULT true,
ADD COLUMN     "options" JSONB,
ADD COLUMN     "tool_call_id" TEXT,
ADD COLUMN     "tool_calls" JSONB;

-- CreateTable
CREATE TABLE "summaries" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "conversation_id" UUID NOT NULL,
    "message_id" UUID NOT NULL,
    "text" TEXT NOT NULL,
    "token_count" INTEGER NOT NULL,
    "model" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "summaries_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "chores" (
    "conversation_id" UUID NOT NULL,
    "kind" "chore_kind" NOT NULL,
    "user_id" UUID NOT NULL,
    "message_id" UUID NOT NULL,
    "tries" INTEGER NOT NULL DEFAULT 0,
    "due_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "chores_pkey" PRIMARY KEY ("conversation_id","kind")
);

-- CreateTable
CREATE TABLE "shares" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "conversation_id" UUID NOT NULL,
    "hash" BYTEA NOT NULL,
    "title" TEXT NOT NULL,
    "message_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "shares_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "files" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "media_type" TEXT NOT NULL,
    "size" INTEGER NOT NULL,
    "hash" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "files_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "attachments" (
    "message_id" UUID NOT NULL,
    "ordinal" INTEGER NOT NULL,
    "user_id" UUID NOT NULL,
    "file_id" UUID,
    "name" TEXT NOT NULL,
    "media_type" TEXT NOT NULL,

    CONSTRAINT "attachments_pkey" PRIMARY KEY ("message_id","ordinal")
);

-- CreateIndex
CREATE INDEX "summaries_user_id_idx" ON "summaries"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "summaries_conversation_id_message_id_key" ON "summaries"("conversation_id", "message_id");

-- CreateIndex
CREATE INDEX "chores_due_at_idx" ON "chores"("due_at");

-- CreateIndex
CREATE INDEX "chores_user_id_idx" ON "chores"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "shares_hash_key" ON "shares"("hash");

-- CreateIndex
CREATE INDEX "shares_conversation_id_id_idx" ON "shares"("conversation_id", "id" DESC);

-- CreateIndex
CREATE INDEX "shares_user_id_idx" ON "shares"("user_id");

-- CreateIndex
CREATE INDEX "files_user_id_id_idx" ON "files"("user_id", "id" DESC);

-- CreateIndex
CREATE INDEX "attachments_file_id_idx" ON "attachments"("file_id");

-- CreateIndex
CREATE INDEX "attachments_user_id_idx" ON "attachments"("user_id");

-- CreateIndex
CREATE INDEX "conversations_user_id_archived_id_idx" ON "conversations"("user_id", "archived", "id" DESC);

-- CreateIndex
CREATE INDEX "conversations_pinned_idx" ON "conversations"("user_id", "id" DESC) WHERE ("pinned" = true);

-- CreateIndex
CREATE INDEX "messages_conversation_id_parent_id_position_idx" ON "messages"("conversation_id", "parent_id", "position");

-- CreateIndex
CREATE INDEX "messages_active_path_idx" ON "messages"("conversation_id", "position") WHERE ("active" = true);

-- AddForeignKey
ALTER TABLE "summaries" ADD CONSTRAINT "summaries_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "summaries" ADD CONSTRAINT "summaries_conversation_id_fkey" FOREIGN KEY ("conversation_id") REFERENCES "conversations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "summaries" ADD CONSTRAINT "summaries_conversation_id_message_id_fkey" FOREIGN KEY ("conversation_id", "message_id") REFERENCES "messages"("conversation_id", "id") ON DELETE CASCADE ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "chores" ADD CONSTRAINT "chores_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "chores" ADD CONSTRAINT "chores_conversation_id_fkey" FOREIGN KEY ("conversation_id") REFERENCES "conversations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "chores" ADD CONSTRAINT "chores_conversation_id_message_id_fkey" FOREIGN KEY ("conversation_id", "message_id") REFERENCES "messages"("conversation_id", "id") ON DELETE CASCADE ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "shares" ADD CONSTRAINT "shares_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "shares" ADD CONSTRAINT "shares_conversation_id_fkey" FOREIGN KEY ("conversation_id") REFERENCES "conversations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "shares" ADD CONSTRAINT "shares_conversation_id_message_id_fkey" FOREIGN KEY ("conversation_id", "message_id") REFERENCES "messages"("conversation_id", "id") ON DELETE CASCADE ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "files" ADD CONSTRAINT "files_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "attachments" ADD CONSTRAINT "attachments_message_id_fkey" FOREIGN KEY ("message_id") REFERENCES "messages"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "attachments" ADD CONSTRAINT "attachments_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "attachments" ADD CONSTRAINT "attachments_file_id_fkey" FOREIGN KEY ("file_id") REFERENCES "files"("id") ON DELETE SET NULL ON UPDATE CASCADE;
