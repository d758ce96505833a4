DROP TABLE vendor_callback_reading;
DROP TABLE vendor_callbacks;
