-- AlterTable
ALTER TABLE "batches" ADD COLUMN     "model" TEXT;
