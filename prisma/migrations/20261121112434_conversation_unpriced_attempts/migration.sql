-- AlterTable
ALTER TABLE "conversations" ADD COLUMN     "unpriced_attempts" INTEGER NOT NULL DEFAULT 0;
