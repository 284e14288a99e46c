-- CreateEnum
CREATE TYPE "text_status" AS ENUM ('pending', 'ready', 'failed');

-- AlterTable
ALTER TABLE "files" ADD COLUMN     "content_id" UUID,
ADD COLUMN     "expires_at" TIMESTAMPTZ(3),
ADD COLUMN     "purpose" TEXT NOT NULL DEFAULT 'user_data',
ADD COLUMN     "text_format" TEXT;

-- CreateTable
CREATE TABLE "file_contents" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "hash" BYTEA NOT NULL,
    "size" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "file_contents_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "file_texts" (
    "content_id" UUID NOT NULL,
    "format" TEXT NOT NULL,
    "user_id" UUID NOT NULL,
    "status" "text_status" NOT NULL DEFAULT 'pending',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "due_at" TIMESTAMPTZ(3) DEFAULT CURRENT_TIMESTAMP,
    "lease_id" UUID,
    "error" TEXT,
    "warnings" JSONB NOT NULL DEFAULT '[]',
    "page_count" INTEGER,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "file_texts_pkey" PRIMARY KEY ("content_id","format")
);

-- CreateTable
CREATE TABLE "file_pages" (
    "content_id" UUID NOT NULL,
    "format" TEXT NOT NULL,
    "page" INTEGER NOT NULL,
    "user_id" UUID NOT NULL,
    "text" TEXT NOT NULL,

    CONSTRAINT "file_pages_pkey" PRIMARY KEY ("content_id","format","page")
);

-- CreateTable
CREATE TABLE "upload_keys" (
    "user_id" UUID NOT NULL,
    "route" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "fingerprint" BYTEA NOT NULL,
    "file_id" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "upload_keys_pkey" PRIMARY KEY ("user_id","route","key")
);

-- CreateIndex
CREATE UNIQUE INDEX "file_contents_user_id_hash_key" ON "file_contents"("user_id", "hash");

-- CreateIndex
CREATE INDEX "file_texts_user_id_idx" ON "file_texts"("user_id");

-- CreateIndex
CREATE INDEX "file_texts_due_idx" ON "file_texts"("due_at") WHERE ("due_at" IS NOT NULL);

-- CreateIndex
CREATE INDEX "file_pages_user_id_idx" ON "file_pages"("user_id");

-- CreateIndex
CREATE INDEX "upload_keys_created_at_idx" ON "upload_keys"("created_at");

-- CreateIndex
CREATE INDEX "upload_keys_file_id_idx" ON "upload_keys"("file_id");

-- CreateIndex
CREATE INDEX "files_content_id_idx" ON "files"("content_id");

-- CreateIndex
CREATE INDEX "files_expiring_idx" ON "files"("expires_at") WHERE ("expires_at" IS NOT NULL);

-- AddForeignKey
ALTER TABLE "files" ADD CONSTRAINT "files_content_id_fkey" FOREIGN KEY ("content_id") REFERENCES "file_contents"("id") ON DELETE NO ACTION ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "file_contents" ADD CONSTRAINT "file_contents_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "file_texts" ADD CONSTRAINT "file_texts_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "file_texts" ADD CONSTRAINT "file_texts_content_id_fkey" FOREIGN KEY ("content_id") REFERENCES "file_contents"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "file_pages" ADD CONSTRAINT "file_pages_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "file_pages" ADD CONSTRAINT "file_pages_content_id_format_fkey" FOREIGN KEY ("content_id", "format") REFERENCES "file_texts"("content_id", "format") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "upload_keys" ADD CONSTRAINT "upload_keys_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "upload_keys" ADD CONSTRAINT "upload_keys_file_id_fkey" FOREIGN KEY ("file_id") REFERENCES "files"("id") ON DELETE SET NULL ON UPDATE CASCADE;
